// swift-tools-version:6.2
import PackageDescription

// The extension module of the Python package, one dynamic library: C against Python's headers, Swift against AsyncIO.
// `pip` builds it by setup.py, which says where the headers are.
let include = Context.environment["SWIFT_ASYNCIO_PYTHON_INCLUDE"]

let settings: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
  .treatAllWarnings(as: .error),
]

let package = Package(
  name: "swift-asyncio-python",
  platforms: [.macOS("26.0")],
  products: [
    .library(name: "swift_asyncio_core", type: .dynamic, targets: ["PythonBridge", "CPythonBridge"])
  ],
  dependencies: [
    .package(name: "swift-asyncio", path: ".."),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
    .package(url: "https://github.com/apple/swift-system", from: "1.8.0"),
  ],
  targets: [
    // The functions that the two sides call in each other: no header of Python's.
    .target(name: "CSeam"),
    // Python's types, in C.
    .target(
      name: "CPythonBridge",
      dependencies: ["CSeam"],
      cSettings: [
        .unsafeFlags(["-std=gnu11", "-O2", "-fvisibility=hidden"] + (include.map { ["-isystem", $0] } ?? []))
      ]
    ),
    // What they do, in Swift.
    .target(
      name: "PythonBridge",
      dependencies: [
        "CSeam", "CPythonBridge",
        .product(name: "AsyncIO", package: "swift-asyncio"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "SystemPackage", package: "swift-system"),
      ],
      swiftSettings: settings,
      // Nothing but the module's own init function is seen from outside: a second Swift runtime in the process keeps to
      // its own symbols, and so does this one.
      linkerSettings: [
        .unsafeFlags([
          "-static-stdlib", "-Xlinker", "-Bsymbolic", "-Xlinker",
          "--version-script=\(Context.packageDirectory)/exports.map",
          "-Xlinker", "-s",
        ])
      ]),
  ]
)
