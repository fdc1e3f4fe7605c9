// swift-tools-version:6.2
import PackageDescription

// Programs that measure the library. A package of its own, so that nobody who uses the library builds them.
let settings: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
  .treatAllWarnings(as: .error),
]

let package = Package(
  name: "benchmarks",
  platforms: [.macOS("26.0")],
  products: [
    .executable(name: "micro", targets: ["Micro"]),
    .executable(name: "busy", targets: ["Busy"]),
    .executable(name: "echo", targets: ["Echo"]),
  ],
  dependencies: [
    .package(path: "MicroSupport"),
    .package(name: "swift-asyncio", path: ".."),
  ],
  targets: [
    // `micro WORK N`: what a loop does besides bytes, one work a process, beside the peers' programs of the same form.
    .executableTarget(
      name: "Micro",
      dependencies: [
        .product(name: "AsyncIO", package: "swift-asyncio"),
        .product(name: "MicroSupport", package: "MicroSupport"),
      ],
      swiftSettings: settings
    ),
    // `busy SHAPE PORT`: an echo server whose loop has callbacks to run as well, for latencies under an open load.
    .executableTarget(
      name: "Busy",
      dependencies: [
        .product(name: "AsyncIO", package: "swift-asyncio"),
        .product(name: "MicroSupport", package: "MicroSupport"),
      ],
      swiftSettings: settings
    ),
    // The smallest server, for its start and its size.
    .executableTarget(
      name: "Echo",
      dependencies: [.product(name: "AsyncIO", package: "swift-asyncio")],
      swiftSettings: settings
    ),
  ]
)
