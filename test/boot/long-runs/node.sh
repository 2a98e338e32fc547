# Node.js without, then with, its compilers.
echo "# off"
node --jitless --no-warnings /rows/jit.js
echo "# on"
node --no-warnings /rows/jit.js
