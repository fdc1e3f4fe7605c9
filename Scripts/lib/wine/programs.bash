# For the scripts of this folder that run a program of C in wine: they set NAME, the program's folder in Tests, and
# LIMIT, the seconds that all its cases may take.
#
# Every warning is an error. Cases that wine cannot pass are in Tests/Windows/exceptions; one that is listed there as
# failing and passes is a failure as well. Cases that Windows cannot have are skipped by the program, with a reason. The
# last line says what has passed and failed.

# shellcheck source=Scripts/lib/wine/packages.bash
source Scripts/lib/wine/packages.bash

readonly PACKAGES=(wine wine64 gcc-mingw-w64-x86-64-win32 mingw-w64-x86-64-dev)
readonly COMPILER=x86_64-w64-mingw32-gcc
readonly C_FLAGS=(-std=gnu17 -O1 -g -Wall -Wextra -Werror -ISources/CAsyncIO/include)
readonly LIBRARIES=(-lws2_32 -lmswsock -lntdll -liphlpapi)
readonly EXCEPTIONS=Tests/Windows/exceptions/$NAME
readonly PLACE=$PWD/.build/wine
readonly PROGRAM=$PLACE/$NAME.exe

# A display would be waited for. The prefix is this script's alone, so its processes can be ended at once.
export WINEPREFIX=$PLACE/prefix WINEARCH=win64 WINEDEBUG=-all WINEDLLOVERRIDES="mscoree,mshtml="
unset DISPLAY

end_processes() {
  ! command -v wineserver >/dev/null || wineserver -k 2>/dev/null || true
}

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

# What is expected of each case that ended, and of each exception: all of them for a run of all cases. Prints what is
# wrong, and last the line that counts.
judge() {
  local log=$1 is_whole=$2 status=$3
  awk -v is_whole="$is_whole" -v status="$status" -v exceptions="$EXCEPTIONS" '
    BEGIN {
      while ((getline line <exceptions) > 0) {
        split(line, words, " ")
        if (line !~ /^#/ && line != "") how[words[2]] = words[1]
      }
    }
    $1 == "ok" || $1 == "FAILED" { has_run[$2] = 1 }
    $1 == "ok" && how[$2] == "fails" { wrong[++failed] = $2 " passes in wine: take it out of " exceptions; next }
    $1 == "FAILED" && how[$2] == "fails" { excused++; next }
    ($1 == "ok" || $1 == "FAILED") && how[$2] == "unsure" { excused++; next }
    $1 == "ok" { passed++ }
    $1 == "FAILED" { wrong[++failed] = $2 " fails" }
    $1 == "skipped" { skipped++ }
    $1 == "hangs:" { wrong[++failed] = $2 " does not end" }
    / passed, .* failed, / { is_complete = 1 }
    END {
      if (!is_complete && !failed) wrong[++failed] = "the program ended with status " status
      for (name in how)
        if (is_whole && is_complete && !has_run[name]) wrong[++failed] = name " is in " exceptions " and has not run"
      printf "\n"
      for (i = 1; i <= failed; i++) print wrong[i]
      printf "%d cases are skipped, %d may fail in wine\n", skipped, excused
      printf "%d passed, %d failed\n", passed, failed
      exit failed > 0
    }' "$log"
}

# Build the program and run it, all of it or some cases.
run_in_wine() {
  install_packages "${PACKAGES[@]}"
  trap end_processes EXIT
  # A run that is cut off has not passed.
  trap 'exit 143' INT TERM
  mkdir -p "$PLACE"
  build
  timeout --kill-after=10 120 wine wineboot --init >/dev/null 2>&1 || {
    printf 'wine cannot be started: wineboot ended with status %d\n' $? >&2
    exit 2
  }
  local log=$PLACE/$NAME.log status=0
  timeout --kill-after=10 "$LIMIT" wine "$PROGRAM" "$@" </dev/null 2>&1 | tr -d '\r' | tee "$log" || status=$?
  judge "$log" "$(($# == 0))" "$status"
}
