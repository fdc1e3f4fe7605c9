# For the scripts of this folder that run the asyncio command in wine: they build it here, by build_command, and start
# it by command_in_wine.
#
# There is no Swift runtime for Windows on such a machine, so the program is one of the host's that wine loads
# (winelib): the Swift code, compiled for Linux with its parts for Windows and without those for Linux, over the C
# files for Windows and wine's libraries. So it shows what the loops do over I/O completion ports; it does not show
# that the compiler for Windows makes the same of the code, see the step typecheck for that. How the two worlds are
# brought together is in Tests/Windows/Winelib.

# shellcheck source=Scripts/lib/wine/wine.bash
source Scripts/lib/wine/wine.bash

readonly PACKAGES=(wine wine64 wine64-tools libwine-dev)
readonly MODULES=(AsyncIO AsyncIOConformance AsyncIOPrograms AsyncIOCommand)
readonly SOURCES=$PLACE/sources OBJECTS=$PLACE/objects/command PROGRAM=$PLACE/asyncio.exe
readonly DEBUG=.build/debug
readonly C_FLAGS=(
  -m64 -std=gnu17 -O1 -g -Wall -Wextra -Werror -Wno-discarded-qualifiers -Wno-sign-compare -fPIC -fshort-wchar
  -U__linux__ -ISources/CAsyncIO -ISources/CAsyncIO/include -ISources/CConformance/include -ITests/Windows/Winelib
  -include winelib.h
)

# --- C -------------------------------------------------------------------------------------------------------------

compile_c() {
  find Sources/CAsyncIO Sources/CConformance Tests/Windows/Winelib \
    -name '*.c' -not -name threads.c -not -name memory.c |
    xargs -P "$(nproc)" -I SOURCE bash -c 'source=SOURCE && "$@" -c "$source" -o "$0/${source//\//-}.o"' \
      "$OBJECTS" winegcc "${C_FLAGS[@]}"
  gcc -shared -fPIC -O1 -Wall -Wextra -Werror -fno-builtin -o "$PLACE/preload.so" \
    Tests/Windows/Winelib/{memory,threads}.c
}

# --- Swift ---------------------------------------------------------------------------------------------------------

# Copies the sources, with the two systems exchanged in their conditions, and what the build makes of their resources.
copy_sources() {
  local module file resources
  rm -rf "$SOURCES"
  for module in "${MODULES[@]}"; do
    mkdir -p "$SOURCES/$module"
    while IFS= read -r -d '' file; do
      sed -E '/^ *#(if|elseif) /{s/os\(Windows\)/os(-)/g; s/os\(Linux\)/os(Windows)/g; s/os\(-\)/os(Linux)/g}' \
        "$file" >"$SOURCES/$module/${file//\//-}"
    done < <(find "Sources/$module" -name '*.docc' -prune -o -name '*.swift' -print0)
    resources=$DEBUG/$module.build/DerivedSources/embedded_resources.swift
    [[ ! -e $resources ]] || cp "$resources" "$SOURCES/$module"
  done
}

# The modules of other packages come from the debug build.
compile_swift() {
  local module flags features
  mapfile -t features < <(package_features)
  mapfile -t flags < <(Scripts/import-flags --built "$DEBUG")
  mkdir -p "$OBJECTS/modules"
  for module in "${MODULES[@]}"; do
    swiftc -c -wmo -Onone -parse-as-library -swift-version 6 -package-name swift_asyncio -module-name "$module" \
      "${features[@]}" \
      -o "$OBJECTS/$module.o" -emit-module-path "$OBJECTS/modules/$module.swiftmodule" -I "$OBJECTS/modules" \
      "${flags[@]}" -Xfrontend -entry-point-function-name -Xfrontend "${module}_main" "$SOURCES/$module"/*.swift
  done
}

# --- the program ---------------------------------------------------------------------------------------------------

# The objects of other packages, as the debug build links them.
other_objects() {
  tr -d "'" <"$DEBUG/asyncio.product/Objects.LinkFileList" |
    grep -vE '/(C?AsyncIO[A-Za-z]*|CConformance)\.build/'
}

link_command() {
  local library others
  library=$(swiftc -print-target-info | sed -n 's/.*"runtimeResourcePath": "\(.*\)".*/\1/p')/linux
  mapfile -t others < <(other_objects)
  winegcc -m64 -o "$PROGRAM" "$OBJECTS"/*.o "${others[@]}" "$library/x86_64/swiftrt.o" \
    -L"$library" -Wl,-rpath,"$library" -lFoundation -lFoundationEssentials -ldispatch -lBlocksRuntime \
    -lswiftSwiftOnoneSupport -lswiftCore -lswift_Concurrency -lswiftSynchronization -lswift_StringProcessing \
    -lswiftDispatch -lswiftGlibc -lstdc++ -lm -ldl -lws2_32 -lmswsock -lntdll -liphlpapi
}

is_built() {
  [[ -e $PROGRAM.so ]] &&
    [[ -z $(find Sources Tests/Windows/Winelib Scripts/lib/wine/winelib.bash Package.swift Package.resolved \
      -newer "$PROGRAM.so" -type f -print -quit) ]]
}

# Builds the command unless that is done.
build_command() {
  install_packages "${PACKAGES[@]}"
  ! is_built || return 0
  rm -rf "$OBJECTS" "$PROGRAM.so"
  mkdir -p "$OBJECTS"
  swift build --product asyncio
  compile_c
  copy_sources
  compile_swift
  link_command
}

command_in_wine() {
  LD_PRELOAD=$PLACE/preload.so SWIFT_BACKTRACE=enable=no wine "$PROGRAM.so" "$@" </dev/null
}
