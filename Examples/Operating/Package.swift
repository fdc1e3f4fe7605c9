// swift-tools-version:6.2
import PackageDescription

// Programs that are measured, traced and run as services, and the tests of the three modules for that. A package of its
// own: it turns the traits of the library on, and what comes with them is not for everybody.
let settings: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
  .treatAllWarnings(as: .error),
]

let asyncIO = Target.Dependency.product(name: "AsyncIO", package: "swift-asyncio")
let asyncIOMetrics = Target.Dependency.product(name: "AsyncIOMetrics", package: "swift-asyncio")
let asyncIOTracing = Target.Dependency.product(name: "AsyncIOTracing", package: "swift-asyncio")
let asyncIOServiceLifecycle = Target.Dependency.product(name: "AsyncIOServiceLifecycle", package: "swift-asyncio")
let metrics = Target.Dependency.product(name: "Metrics", package: "swift-metrics")
let tracing = Target.Dependency.product(name: "Tracing", package: "swift-distributed-tracing")
let inMemoryTracing = Target.Dependency.product(name: "InMemoryTracing", package: "swift-distributed-tracing")
let serviceLifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")

let package = Package(
  name: "Operating",
  platforms: [.macOS("26.0")],
  dependencies: [
    .package(name: "swift-asyncio", path: "../..", traits: ["Metrics", "Tracing", "ServiceLifecycle"]),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
    .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
    .package(url: "https://github.com/apple/swift-distributed-tracing", from: "1.7.0"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
  ],
  targets: [
    .executableTarget(
      name: "MetricsServer", dependencies: [asyncIO, asyncIOMetrics, metrics], swiftSettings: settings),
    .executableTarget(
      name: "TracedService",
      dependencies: [
        asyncIO, asyncIOServiceLifecycle, asyncIOTracing, inMemoryTracing, logging, serviceLifecycle, tracing,
        .product(name: "UnixSignals", package: "swift-service-lifecycle"),
      ],
      swiftSettings: settings),
    .testTarget(
      name: "OperatingTests",
      dependencies: [
        "MetricsServer", asyncIO, asyncIOMetrics, asyncIOServiceLifecycle, asyncIOTracing, inMemoryTracing, logging,
        metrics, serviceLifecycle, tracing,
        .product(name: "MetricsTestKit", package: "swift-metrics"),
        .product(name: "ServiceLifecycleTestKit", package: "swift-service-lifecycle"),
      ],
      swiftSettings: settings),
  ]
)
