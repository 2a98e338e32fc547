# Known answers of digests, codes, ciphers and key derivations; a prime; signatures that hold and signatures that do not.
cd /tmp
hex() { od -An -v -tx1 | tr -d ' \n'; echo; }
bytes() { printf "$(echo "$1" | sed 's/../\\x&/g')"; }

for name in md5 sha1 sha224 sha256 sha384 sha512 sha512-256 sha3-224 sha3-256 sha3-512 shake128 blake2s256 blake2b512 sm3 rmd160; do
  printf abc | openssl dgst -r "-$name" | sed "s/ .*/ $name/"
done
openssl dgst -r -sha256 /data/mixed | cut -d' ' -f1
openssl dgst -r -sha3-256 /data/mixed | cut -d' ' -f1
openssl dgst -r -blake2b512 /data/mixed | cut -d' ' -f1
openssl dgst -r -md5 /data/mixed | cut -d' ' -f1

key=000102030405060708090a0b0c0d0e0f
for name in aes-128-ecb aes-128-cbc aes-128-ctr aes-128-cfb aes-128-ofb camellia-128-cbc aria-128-cbc sm4-cbc; do
  case $name in *-ecb) iv= ;; *) iv="-iv f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff" ;; esac
  openssl enc "-$name" -K $key $iv </data/mixed >sealed
  echo "$name $(sha256sum <sealed | cut -c1-32) $(openssl enc -d "-$name" -K $key $iv <sealed | sha256sum | cut -c1-32)"
done
bytes 00112233445566778899aabbccddeeff | openssl enc -aes-128-ecb -K $key -nopad | hex
bytes 00112233445566778899aabbccddeeff | openssl enc -aes-256-ecb -K ${key}101112131415161718191a1b1c1d1e1f -nopad | hex
bytes 00112233445566778899aabbccddeeff | openssl enc -chacha20 -K ${key}101112131415161718191a1b1c1d1e1f -iv 01000000000000000000004a00000000 | hex

printf "what do ya want for nothing?" >message
openssl mac -digest SHA256 -macopt key:Jefe -in message HMAC
openssl mac -cipher AES-128-CBC -macopt hexkey:$key -in message CMAC
openssl mac -cipher AES-128-GCM -macopt hexkey:$key -macopt hexiv:000102030405060708090a0b -in message GMAC
openssl mac -macopt hexkey:${key}101112131415161718191a1b1c1d1e1f -in message POLY1305
openssl mac -macopt hexkey:$key -in message SIPHASH
openssl mac -macopt key:Jefe -in message KMAC256
openssl kdf -keylen 32 -kdfopt digest:SHA256 -kdfopt hexkey:$key -kdfopt hexsalt:0a0b -kdfopt hexinfo:f0f1 HKDF
openssl kdf -keylen 32 -kdfopt digest:SHA512 -kdfopt pass:password -kdfopt salt:NaCl -kdfopt iter:2000 PBKDF2
openssl kdf -keylen 32 -kdfopt pass:password -kdfopt salt:NaCl -kdfopt n:1024 -kdfopt r:8 -kdfopt p:2 SCRYPT

# 2^521 - 1 is a prime; 2^523 - 1 is not.
openssl prime -hex 1FF$(printf 'F%.0s' $(seq 128)) | sed 's/^.* is/2^521-1 is/'
openssl prime -hex 7FF$(printf 'F%.0s' $(seq 128)) | sed 's/^.* is/2^523-1 is/'

# Ed25519 signs the same message the same way each time: the third test of RFC 8032, section 7.1.
bytes 302e020100300506032b657004220420c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7 >ed.der
bytes af82 >two
openssl pkeyutl -sign -rawin -inkey ed.der -keyform DER -in two | hex

signs() {
  echo "$1"
  openssl dgst -sha256 -sign "$2" -out signature message
  openssl pkey -in "$2" -pubout -out public
  openssl dgst -sha256 -verify public -signature signature message
  openssl dgst -sha256 -verify public -signature signature two 2>/dev/null
}
openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out rsa.pem
openssl pkey -in rsa.pem -check -noout
signs RSA rsa.pem
openssl pkeyutl -encrypt -inkey rsa.pem -pkeyopt rsa_padding_mode:oaep -in message -out sealed
openssl pkeyutl -decrypt -inkey rsa.pem -pkeyopt rsa_padding_mode:oaep -in sealed
echo
for curve in P-256 P-384 secp256k1; do
  openssl genpkey -quiet -algorithm EC -pkeyopt group:$curve -out ec.pem
  signs "ECDSA $curve" ec.pem
done
openssl genpkey -quiet -algorithm X25519 -out a.pem
openssl genpkey -quiet -algorithm X25519 -out b.pem
openssl pkey -in a.pem -pubout -out a.pub
openssl pkey -in b.pem -pubout -out b.pub
openssl pkeyutl -derive -inkey a.pem -peerkey b.pub -out ab
openssl pkeyutl -derive -inkey b.pem -peerkey a.pub -out ba
cmp ab ba && echo "X25519: both have the same secret of $(wc -c <ab) bytes"
