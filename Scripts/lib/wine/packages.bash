# For the scripts of this folder: what they need of the system, and what they read from the package.

is_installed() {
  dpkg-query --show --showformat='${db:Status-Status}\n' "$1" 2>/dev/null | grep -qx installed
}

# Installs the packages that are missing. Without them the script ends with status 2.
install_packages() {
  local package missing=() as_root=()
  for package in "$@"; do is_installed "$package" || missing+=("$package"); done
  ((${#missing[@]} > 0)) || return 0
  printf 'installing: %s\n' "${missing[*]}"
  (($(id -u) == 0)) || as_root=(sudo)
  "${as_root[@]}" apt-get -q update &&
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends "${missing[@]}" ||
    exit 2
}

# Prints the compiler's options for the upcoming features of every target of the package, a word a line.
package_features() {
  sed -n '/^let settings/,/^]/s/.*enableUpcomingFeature("\(.*\)").*/-enable-upcoming-feature\n\1/p' Package.swift
}
