// Numbers, typed arrays, maps, strings, classes, generators and exceptions; every loop is long enough for the optimizing compiler, and
// some are left in the middle because a type changes. The output is the same without a compiler.
function sieve(n) {
  const composite = new Uint8Array(n + 1);
  let count = 0;
  for (let i = 2; i <= n; i++) {
    if (composite[i]) continue;
    count++;
    for (let j = i * i; j <= n; j += i) composite[j] = 1;
  }
  return count;
}

function floats(n) {
  let x = 0.5;
  let total = 0;
  for (let i = 1; i <= n; i++) {
    x = 3.7 * x * (1 - x);
    total += (Math.sqrt(x) * Math.floor(x * i)) / (i + 0.5);
  }
  return `${x} ${total}`;
}

function bits(n) {
  let h = 0x12345678;
  for (let i = 1; i <= n; i++) {
    h = ((h << 5) | (h >>> 27)) ^ (Math.imul(i, 40503) & 0xffff);
    h = (h + (h >>> 7) - (h >> 3)) | 0;
  }
  return h >>> 0;
}

/** Adds small numbers until they are none: then floating point, then strings. */
const add = (a, b) => a + b;
function changing(n) {
  let sum = 0;
  for (let i = 0; i < n; i++) sum = add(sum, i);
  for (let i = 0; i < n; i++) sum = add(sum, 0.5);
  return add(String(sum), add("!", 2n.toString()));
}

function words(n) {
  let seed = 42;
  const counts = new Map();
  for (let i = 0; i < n; i++) {
    seed = (seed * 16807) % 2147483647;
    const word = `w${seed % 700}`;
    counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  const text = [...counts]
    .map(([word, count]) => `${word}=${count}`)
    .sort()
    .join();
  let digits = 0;
  for (const [, count] of text.matchAll(/=(\d+)/g)) digits += Number(count);
  return [text.length, digits, text.slice(0, 24), JSON.parse(JSON.stringify({ text })).text.replace(/w(\d)/g, "W$1-").length];
}

class Point {
  #x;
  constructor(x, y) {
    this.#x = x;
    this.y = y;
  }
  get x() {
    return this.#x;
  }
  moved(by) {
    return new Point(this.#x + by, this.y - by);
  }
}
function points(n) {
  let p = new Point(0, 0.25);
  for (let i = 0; i < n; i++) p = p.moved(i & 3);
  return [p.x, p.y];
}

function* squares(n) {
  for (let i = 1; i <= n; i++) yield (i * i) % 97;
}

function failures(n) {
  let caught = 0;
  for (let i = 0; i < n; i++) {
    try {
      if (i % 3 === 0) throw new RangeError(String(i));
      [1, 2][i % 4].toFixed();
    } catch (error) {
      caught += error instanceof RangeError ? 1 : 1000;
    }
  }
  return caught;
}

function power(base, exponent, modulus) {
  let result = 1n;
  for (let b = base; exponent > 0n; exponent >>= 1n, b = (b * b) % modulus) if (exponent & 1n) result = (result * b) % modulus;
  return result;
}

const noise = new Float64Array(20000).map((_, i) => Math.fround(((i * 7919) % 10007) / 3));
console.log("sieve", sieve(200000));
console.log("floats", floats(200000));
console.log("bits", bits(800000));
console.log("changing", changing(50000));
console.log("words", ...words(20000));
console.log("points", ...points(100000));
console.log(
  "generated",
  [...squares(20000)].reduce((a, b) => a + b),
);
console.log("failures", failures(6000));
console.log("power", String(power(3n, 2n ** 300n + 7n, 10n ** 120n + 37n)));
console.log(
  "sorted",
  noise
    .sort()
    .filter((_, i) => i % 2500 === 0)
    .join(" "),
  [..."zyxéa"].sort(new Intl.Collator("fr").compare).join(""),
);
console.log("digest", require("crypto").createHash("sha256").update(Buffer.from(noise.buffer)).digest("hex"));
console.log("deflated", require("zlib").inflateSync(require("zlib").deflateSync(Buffer.from(noise.buffer))).length);
