// A picture is painted and written as PNG and JPEG, with libraries of some thousand lines of C: floating point, integers, tables, Huffman
// codes. What it prints is the same wherever it runs.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STB_PERLIN_IMPLEMENTATION
#define STB_IMAGE_WRITE_STATIC
#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STBI_WRITE_NO_STDIO
#include <stb/stb_image_write.h>
#include <stb/stb_perlin.h>

enum { WIDTH = 192, HEIGHT = 128 };

struct bytes {
  uint8_t *data;
  size_t size;
};

static void append(void *context, void *data, int size) {
  struct bytes *all = context;
  all->data = realloc(all->data, all->size + size);
  memcpy(all->data + all->size, data, size);
  all->size += size;
}

static uint32_t hash(const void *data, size_t size) {
  uint32_t h = 2166136261u;
  for (const uint8_t *p = data; size-- > 0; p++) h = (h ^ *p) * 16777619u;
  return h;
}

static uint8_t level(float x) {
  return x < 0 ? 0 : x > 1 ? 255 : (uint8_t)(x * 255.0f + 0.5f);
}

static void paint(uint8_t *pixel) {
  for (int y = 0; y < HEIGHT; y++)
    for (int x = 0; x < WIDTH; x++, pixel += 3) {
      float u = x / 24.0f, v = y / 24.0f;
      pixel[0] = level(0.5f + stb_perlin_fbm_noise3(u, v, 0.25f, 2.0f, 0.5f, 4));
      pixel[1] = level(stb_perlin_turbulence_noise3(v, u, 0.75f, 2.0f, 0.5f, 3));
      pixel[2] = level(stb_perlin_ridge_noise3(u, v, 0.5f, 2.0f, 0.5f, 1.0f, 3));
    }
}

static void report(const char *name, const void *data, size_t size) {
  printf("%-6s %6zu bytes %08x\n", name, size, hash(data, size));
}

int main(void) {
  uint8_t *picture = malloc(WIDTH * HEIGHT * 3);
  paint(picture);
  report("pixels", picture, WIDTH * HEIGHT * 3);
  struct bytes png = {0}, jpeg = {0};
  stbi_write_png_to_func(append, &png, WIDTH, HEIGHT, 3, picture, WIDTH * 3);
  stbi_write_jpg_to_func(append, &jpeg, WIDTH, HEIGHT, 3, picture, 85);
  report("png", png.data, png.size);
  report("jpeg", jpeg.data, jpeg.size);
  return 0;
}
