# Mixed data through four compressors and back.
cd /tmp
sums() { echo "$(sha256sum <"$1" | cut -d' ' -f1) $(md5sum <"$1" | cut -d' ' -f1) $(wc -c <"$1")"; }
echo "data $(sums /data/mixed)"
for words in "/bin/gzip -9n" "/bin/bzip2 -9" "/usr/bin/xz -2"; do
  $words -c </data/mixed >packed
  ${words%% *} -dc packed >unpacked
  echo "$words $(sums packed)"
  echo "$words -d $(sums unpacked)"
done
7zz a -mmt1 -mx3 -m0=PPMd -mtc- -mtm- -mta- -bso0 -bsp0 packed.7z /data/mixed
7zz x -so -bsp0 packed.7z >unpacked
echo "7zz PPMd $(sums unpacked)"
rm -f packed packed.7z unpacked
