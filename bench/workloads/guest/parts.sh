# What a small system does all day: a shell that counts, copying and hashing, processes, compression, floating point.
if want loop; then
  echo "MARK loop-start"
  i=0
  while [ $i -lt 100000 ]; do i=$((i + 1)); done
  echo "MARK loop-end ck=$i"
fi
if want dd; then
  echo "MARK dd-start"
  sum=$(dd if=/dev/zero bs=1M count=64 2>/dev/null | md5sum)
  echo "MARK dd-end ck=$sum"
fi
if want fork; then
  echo "MARK fork-start"
  i=0
  while [ $i -lt 500 ]; do
    /bin/busybox true
    i=$((i + 1))
  done
  echo "MARK fork-end ck=$i"
fi
if want gzip; then
  echo "MARK gzip-start"
  sum=$(dd if=/bin/busybox bs=1M count=2 2>/dev/null | gzip -9 | md5sum)
  echo "MARK gzip-end ck=$sum"
fi
if want awk; then
  echo "MARK awk-start"
  sum=$(awk 'BEGIN { s = 0; for (i = 0; i < 300000; i++) { s += i * 1.5; s /= 1.0001 }; printf "%.17g", s }')
  echo "MARK awk-end ck=$sum"
fi
