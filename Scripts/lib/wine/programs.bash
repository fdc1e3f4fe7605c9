# For the scripts of this folder that run a program of C in wine: they set NAME, the program's folder in Tests, and
# LIMIT, the seconds that all its cases may take.
#
# Every warning is an error. Cases that Windows cannot have are skipped by the program, with a reason.

# shellcheck source=Scripts/lib/wine/wine.bash
source Scripts/lib/wine/wine.bash

readonly PACKAGES=(wine wine64 gcc-mingw-w64-x86-64-win32 mingw-w64-x86-64-dev)
readonly COMPILER=x86_64-w64-mingw32-gcc
readonly C_FLAGS=(-std=gnu17 -O1 -g -Wall -Wextra -Werror -ISources/CAsyncIO/include)
readonly LIBRARIES=(-lws2_32 -lmswsock -lntdll -liphlpapi)
readonly EXCEPTIONS=Tests/Windows/exceptions/$NAME
readonly PROGRAM=$PLACE/$NAME.exe

# --- build ---------------------------------------------------------------------------------------------------------

# All C files of the library, of which those for other systems are empty, and the program's.
build() {
  local source sources=(Sources/CAsyncIO/*.c "Tests/$NAME"/*.c) objects=() place=$PLACE/objects/$NAME
  rm -rf "$place"
  mkdir -p "$place"
  # Two folders may have files of one name.
  for source in "${sources[@]}"; do objects+=("$place/${source//\//-}.o"); done
  printf '%s\n' "${sources[@]}" |
    xargs -P "$(nproc)" -I SOURCE bash -c 'source=SOURCE && "$@" -c "$source" -o "$0/${source//\//-}.o"' \
      "$place" "$COMPILER" "${C_FLAGS[@]}"
  "$COMPILER" -static -o "$PROGRAM" "${objects[@]}" "${LIBRARIES[@]}"
}

# --- run -----------------------------------------------------------------------------------------------------------

# Build the program and run it, all of it or some cases.
run_in_wine() {
  install_packages "${PACKAGES[@]}"
  mkdir -p "$PLACE"
  build
  start_wine
  local log=$PLACE/$NAME.log status=0
  timeout --kill-after=10 "$LIMIT" wine "$PROGRAM" "$@" </dev/null 2>&1 | tr -d '\r' | tee "$log" || status=$?
  judge "$log" "$(($# == 0))" "$status" "$EXCEPTIONS"
}
