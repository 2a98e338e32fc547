# Node.js without, then with, its compilers.
echo "# off"
node --jitless --no-expose-wasm /rows/jit.js
echo "# on"
node /rows/jit.js
