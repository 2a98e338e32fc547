# Programs of Debian packages with a fixed amount of work each, and something to tell a wrong result by.
dd if=/usr/lib/gcc/x86_64-linux-gnu/12/cc1 of=/tmp/6m bs=1M count=6 2>/dev/null
i=0
while [ $i -lt 11 ]; do
  cat /tmp/6m
  i=$((i + 1))
done >/tmp/66m

digest() { md5sum | cut -d' ' -f1; }

if want 7z; then
  head -c 1500000 /tmp/6m >/tmp/1m
  echo "MARK 7z-start"
  7zz a -mmt1 -mx5 -bso0 -bsp0 /tmp/a.7z /tmp/1m
  sum=$(7zz x -so -bsp0 /tmp/a.7z | digest)
  echo "MARK 7z-end ck=$sum $(wc -c </tmp/a.7z | tr -d ' ')"
fi
if want sha256; then
  echo "MARK sha256-start"
  sum=$(openssl dgst -r -sha256 /tmp/66m | cut -d' ' -f1)
  echo "MARK sha256-end ck=$sum"
fi
if want aes-ctr; then
  echo "MARK aes-ctr-start"
  openssl enc -aes-128-ctr -K 000102030405060708090a0b0c0d0e0f -iv 00112233445566778899aabbccddeeff -in /tmp/66m -out /tmp/aes
  sum=$(tail -c 4096 /tmp/aes | digest)
  echo "MARK aes-ctr-end ck=$sum"
  rm /tmp/aes
fi
if want prime; then
  echo "MARK prime-start"
  sum=$(openssl prime -hex "$(cat /work/prime.hex)" | digest)
  echo "MARK prime-end ck=$sum"
fi
if want sqlite; then
  echo "MARK sqlite-start"
  sum=$(sqlite3 :memory: </work/rows.sql | digest)
  echo "MARK sqlite-end ck=$sum"
fi
if want pystart; then
  python3.11 -E -c 'import json, re, random' # leaves compiled modules behind, as an installed system has them
  echo "MARK pystart-start"
  i=0
  while [ $i -lt 10 ]; do
    python3.11 -E -c 'import re'
    i=$((i + 1))
  done
  echo "MARK pystart-end ck=$i"
fi
if want python; then
  echo "MARK python-start"
  sum=$(python3.11 -E /work/program.py)
  echo "MARK python-end ck=$sum"
fi
if want cc; then
  echo "MARK cc-start"
  /usr/lib/gcc/x86_64-linux-gnu/12/cc1 -quiet -O2 -ffreestanding -fno-stack-protector /work/micro.c -o /tmp/micro.s
  sum=$(digest </tmp/micro.s)
  echo "MARK cc-end ck=$sum"
fi
