import POSIX

/// Certificates and keys for tests, made by the program `openssl` once in a process, in a directory that is removed at
/// its end.
struct TestCertificates: Sendable {
  static let isAvailable = system("command -v openssl >/dev/null") == 0
  static let shared = TestCertificates()

  let directory: String

  /// The path of a file.
  func path(_ name: String) -> String { "\(directory)/\(name)" }

  private init() {
    directory = makeTemporary { mkdtemp($0) }.path
    let status = system("cd \(directory) && { \(Self.script)\n} >log 2>&1")
    precondition(status == 0, "the certificates could not be made, see \(directory)/log")
    setenv("ASYNCIO_TEST_CERTIFICATES", directory, 1)
    atexit {
      guard let directory = getenv("ASYNCIO_TEST_CERTIFICATES") else { return }
      system("rm -rf \(String(cString: directory))")
    }
  }

  /// The authorities `ca`, `intermediate` (below it) and `stranger`, and the certificates of hosts and clients.
  private static let script = #"""
    set -e
    p256="-newkey ec -pkeyopt ec_paramgen_curve:P-256"
    authority() {
      openssl req -x509 $p256 -nodes -keyout $1.key -out $1.pem -days 30 -subj "/CN=$1" \
        -addext "basicConstraints=critical,CA:TRUE" -addext "keyUsage=critical,keyCertSign,cRLSign"
    }
    # name, how the key is made, extensions, authority, further options
    issue() {
      openssl req $2 -nodes -keyout $1.key -out $1.csr -subj "/CN=$1"
      printf "$3\n" > $1.ext
      openssl x509 -req -in $1.csr -CA $4.pem -CAkey $4.key -CAcreateserial -extfile $1.ext -out $1.pem ${5:--days 10}
    }
    host="subjectAltName=DNS:localhost,DNS:*.example.org,IP:127.0.0.1,IP:::1"
    authority ca
    authority stranger
    issue intermediate "$p256" "basicConstraints=critical,CA:TRUE" ca
    issue ecdsa "$p256" "$host" ca
    issue rsa "-newkey rsa:2048" "$host" ca
    issue ed25519 "-newkey ed25519" "$host" ca
    issue other "$p256" "subjectAltName=DNS:other.example" ca
    issue below "$p256" "$host" intermediate
    cat below.pem intermediate.pem > chain.pem
    issue misissued "$p256" "$host" ecdsa
    cat ecdsa.pem >> misissued.pem
    issue unknown "$p256" "$host" stranger
    issue client "$p256" "extendedKeyUsage=clientAuth" ca
    issue expired "$p256" "$host" ca "-days -1"
    openssl req -x509 $p256 -nodes -keyout self.key -out self.pem -days 10 -subj "/CN=self" -addext "$host"
    openssl ec -aes128 -passout pass:secret -in ecdsa.key -out encrypted.key
    head -c 300 ecdsa.pem > damaged.pem
    cat ecdsa.pem damaged.pem > halfway.pem
    : > empty.pem
    """#
}
