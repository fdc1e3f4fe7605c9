# For the scripts of this folder that run something in wine: its surroundings, and what a run of cases comes to.
#
# Cases that wine cannot pass are in Tests/Windows/exceptions; one that is listed there as failing and passes is a
# failure as well. The last line says what has passed and failed.

# shellcheck source=Scripts/lib/wine/packages.bash
source Scripts/lib/wine/packages.bash

readonly PLACE=$PWD/.build/wine

# A display would be waited for. The prefix is these scripts' alone, so its processes can be ended at once.
export WINEPREFIX=$PLACE/prefix WINEARCH=win64 WINEDEBUG=${WINEDEBUG:--all} WINEDLLOVERRIDES="mscoree,mshtml="
unset DISPLAY

end_processes() {
  ! command -v wineserver >/dev/null || wineserver -k 2>/dev/null || true
}

# Makes the prefix, and has its processes ended with the script.
start_wine() {
  trap end_processes EXIT
  # A run that is cut off has not passed.
  trap 'exit 143' INT TERM
  timeout --kill-after=10 120 wine wineboot --init >/dev/null 2>&1 || {
    printf 'wine cannot be started: wineboot ended with status %d\n' $? >&2
    exit 2
  }
}

# What is expected of each case that ended, and of each exception: all of them for a run of all cases. Prints what is
# wrong, and last the line that counts.
judge() {
  local log=$1 is_whole=$2 status=$3 exceptions=$4
  awk -v is_whole="$is_whole" -v status="$status" -v exceptions="$exceptions" '
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
