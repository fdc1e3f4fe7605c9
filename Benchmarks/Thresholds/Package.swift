// swift-tools-version:6.2
import PackageDescription

// What an operation allocates, held to files by `swift package benchmark thresholds`. A package of its own: that tool
// and what it depends on take longer to build than everything that `micro` and `echo` need.
let settings: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
  .treatAllWarnings(as: .error),
]

let package = Package(
  name: "thresholds",
  platforms: [.macOS("26.0")],
  dependencies: [
    .package(path: "../MicroSupport"),
    .package(name: "swift-asyncio", path: "../.."),
    // Without its own counters of allocations and references: they are further packages, and are loaded into every
    // process that the benchmark starts.
    .package(url: "https://github.com/ordo-one/benchmark.git", from: "1.38.1", traits: []),
  ],
  targets: [
    .target(name: "CAllocations"),
    // The tool looks for benchmarks in a directory of this name.
    .executableTarget(
      name: "Allocations",
      dependencies: [
        "CAllocations",
        .product(name: "AsyncIO", package: "swift-asyncio"),
        .product(name: "Benchmark", package: "benchmark"),
        .product(name: "MicroSupport", package: "MicroSupport"),
      ],
      path: "Benchmarks/Allocations",
      swiftSettings: settings,
      plugins: [.plugin(name: "BenchmarkPlugin", package: "benchmark")]
    ),
  ]
)
