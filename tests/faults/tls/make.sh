#!/bin/sh
# Makes the certificates of this folder anew. They are those of loopback servers in tests, and worth nothing elsewhere.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
cat > "$work/ca.conf" <<CONF
[ca]
default_ca = own
[own]
database = $work/index
new_certs_dir = $work
rand_serial = yes
default_md = sha256
policy = any
copy_extensions = copy
[any]
commonName = supplied
CONF
: > "$work/index"
request() { # name, extension, a further one
    openssl ecparam -name prime256v1 -genkey -noout -out "$work/$1.key"
    openssl req -new -key "$work/$1.key" -subj "/CN=Preopen test $1" -addext "$2" ${3:+-addext "$3"} -out "$work/$1.csr"
}
sign() { # name, last year, further options
    name=$1 last=$2
    shift 2
    openssl ca -batch -notext -config "$work/ca.conf" -in "$work/$name.csr" -out "$work/$name.pem" \
        -startdate 20200101000000Z -enddate "${last}0101000000Z" "$@" 2> "$work/log"
}
leaf() { # name, last year, alternative names
    request "$1" "subjectAltName=$3"
    sign "$1" "$2" -cert ca.pem -keyfile "$work/ca.key"
    cat "$work/$1.pem" "$work/$1.key" > "$1.pem"
}
# The use of the key is what strict verifiers ask for, Python's since 3.13 among them.
request ca basicConstraints=critical,CA:TRUE keyUsage=critical,keyCertSign,cRLSign
sign ca 2120 -selfsign -keyfile "$work/ca.key"
cp "$work/ca.pem" ca.pem
leaf good 2120 DNS:localhost,IP:127.0.0.1
leaf expired 2021 DNS:localhost,IP:127.0.0.1
leaf wrong-host 2120 DNS:elsewhere.test,IP:127.0.0.9
request self-signed subjectAltName=DNS:localhost,IP:127.0.0.1
sign self-signed 2120 -selfsign -keyfile "$work/self-signed.key"
cat "$work/self-signed.pem" "$work/self-signed.key" > self-signed.pem
rm -r "$work"
