# A program of thousands of lines is compiled, assembled, linked and run.
gcc-12 -O2 -g0 -w -S /rows/image.c -o /tmp/image.s
gcc-12 -c /tmp/image.s -o /tmp/image.o
gcc-12 /tmp/image.o -o /tmp/image -lm
for file in image.s image.o image; do
  echo "$file $(sha256sum <"/tmp/$file" | cut -d' ' -f1) $(wc -c <"/tmp/$file")"
done
/tmp/image
