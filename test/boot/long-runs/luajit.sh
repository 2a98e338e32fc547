# LuaJIT's interpreter, then its compiler, which writes machine code all the time.
echo "# off"
luajit -joff /rows/jit.lua off
echo "# on"
luajit -O3 /rows/jit.lua on
