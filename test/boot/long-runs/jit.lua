-- Numbers, tables, strings, closures and coroutines; every loop is long enough to be compiled. The output is the same without a compiler.
local bit = require("bit")

local function sieve(n)
  local composite, count = {}, 0
  for i = 2, n do
    if not composite[i] then
      count = count + 1
      for j = i * i, n, i do composite[j] = true end
    end
  end
  return count
end

local function floats(n)
  local x, total = 0.5, 0
  for i = 1, n do
    x = 3.7 * x * (1 - x)
    total = total + math.sin(x) * math.floor(x * i) / (i + 0.5)
  end
  return string.format("%.17g %.17g", x, total)
end

local function bits(n)
  local h = 0x12345678
  for i = 1, n do
    h = bit.bxor(bit.rol(h, 5), bit.band(i * 40503, 0xffff))
    h = bit.tobit(h + bit.rshift(h, 7) - bit.arshift(h, 3))
  end
  return bit.tohex(h)
end

local function words(n)
  local seed, counts, list = 42, {}, {}
  for _ = 1, n do
    seed = (seed * 16807) % 2147483647
    local word = "w" .. seed % 700
    counts[word] = (counts[word] or 0) + 1
  end
  for word, count in pairs(counts) do list[#list + 1] = word .. "=" .. count end
  table.sort(list)
  local text = table.concat(list, ",")
  local digits = 0
  for d in text:gmatch("=(%d+)") do digits = digits + d end
  return #text, digits, text:sub(1, 24), (text:gsub("w%d", string.upper)):byte(1, 3)
end

local Point = {}
Point.__index = Point
Point.__add = function(a, b) return setmetatable({ x = a.x + b.x, y = a.y - b.y }, Point) end
local function points(n)
  local p, step = setmetatable({ x = 0, y = 0 }, Point), setmetatable({ x = 1.25, y = 3 }, Point)
  for _ = 1, n do p = p + step end
  return p.x, p.y
end

local function generated(n)
  local sum = 0
  local next_value = coroutine.wrap(function() for i = 1, n do coroutine.yield(i * i % 97) end end)
  for _ = 1, n do sum = sum + next_value() end
  return sum
end

local function failures(n)
  local caught = 0
  for i = 1, n do
    if not pcall(function() if i % 3 == 0 then error({ i }) end return i end) then caught = caught + 1 end
  end
  return caught
end

local ffi = require("ffi")
ffi.cdef("typedef struct { int16_t a; float b; uint64_t c; } row_t;")
local function structs(n)
  local rows = ffi.new("row_t[?]", n)
  for i = 0, n - 1 do
    rows[i].a = i * 7
    rows[i].b = i / 3
    rows[i].c = 0xffffffffffffULL * i
  end
  local a, b, c = 0, 0, 0ULL
  for i = 0, n - 1 do
    a, b, c = a + rows[i].a, b + rows[i].b, bit.bxor(c, rows[i].c)
  end
  return a, string.format("%.9g", b), tostring(c)
end

print("compiler", jit.status() == (arg[1] == "on"))
print("sieve", sieve(100000))
print("floats", floats(300000))
print("bits", bits(1000000))
print("words", words(40000))
print("points", points(200000))
print("generated", generated(20000))
print("failures", failures(5000))
print("structs", structs(50000))
