# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# The demo app: an APK with payloads and configurations for them, for build.sh.

build_app() { # APK
  local tree=$work/app libraries=$work/app/lib/x86_64
  mkdir -p "$libraries"
  cp -r "$here/app/assets" "$tree"
  (
    cd "$here/app"
    "${compile[@]}" -static -DDEMO_ENTRY=main demo.cpp -o "$libraries/demo"
    "${compile[@]}" -fPIC -shared -DDEMO_ENTRY=android_native_main demo.cpp \
      -o "$libraries/libdemo.so"
    "${compile[@]}" -fPIC -shared avm_payload.cpp \
      -o "$libraries/libdemo_avm.so"
  )
  strip "$libraries"/*
  write_manifest "$tree/AndroidManifest.xml" com.example.crosvisor.demo
  find "$tree" -type f -exec chmod 644 {} +
  chmod 755 "$libraries"/*
  # The oldest time that a ZIP file can tell.
  find "$tree" -exec touch -d 1980-01-01T00:00:00Z {} +
  # Native libraries are stored, as in an app that runs them from its APK.
  (
    cd "$tree"
    export TZ=UTC
    find AndroidManifest.xml assets -type f | sort | zip -q -X -9 "$work/unsigned.apk" -@
    find lib -type f | sort | zip -q -X -0 "$work/unsigned.apk" -@
  )
  make_key
  sign_app "$work/unsigned.apk" "$1"
}

# Made once: what it has signed is of one author.
make_key() {
  local keys=$out/keys
  if [ -f "$keys/demo.pk8" ] && [ -f "$keys/demo.pem" ]; then
    return
  fi
  say "making the demo app's key in $keys"
  (
    umask 077
    mkdir -p "$keys"
    openssl req -x509 -newkey rsa:2048 -nodes -days 36500 -sha256 \
      -subj "/CN=crosvisor demo app" -keyout "$work/key.pem" \
      -out "$work/demo.pem" 2>"$work/openssl.log" ||
      die "openssl made no key: $(cat "$work/openssl.log")"
    openssl pkcs8 -topk8 -nocrypt -outform DER -in "$work/key.pem" \
      -out "$work/demo.pk8"
    mv "$work/demo.pk8" "$work/demo.pem" "$keys"
  )
}

# The digest file is the signer's own, beside which crosvisor's can be held.
sign_app() { # UNSIGNED SIGNED
  apksigner sign --key "$out/keys/demo.pk8" --cert "$out/keys/demo.pem" \
    --v1-signing-enabled false --v2-signing-enabled true \
    --v3-signing-enabled true --v4-signing-enabled true \
    --in "$1" --out "$2" >&2 || die "apksigner did not sign the demo app"
}
