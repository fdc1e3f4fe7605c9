// swift-tools-version:6.2
import PackageDescription

// Swift's own runtime as a peer: its pool, its sleeps, and the community's library for child processes.
let package = Package(
  name: "swift-peer",
  dependencies: [
    .package(path: "../../../MicroSupport"),
    .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.0", traits: []),
  ],
  targets: [
    .executableTarget(
      name: "swift_micro",
      dependencies: [
        "MicroSupport",
        .product(name: "Subprocess", package: "swift-subprocess"),
      ],
      swiftSettings: [.treatAllWarnings(as: .error)]),
    .executableTarget(
      name: "swift_suspend",
      dependencies: ["MicroSupport"],
      swiftSettings: [.enableUpcomingFeature("NonisolatedNonsendingByDefault"), .treatAllWarnings(as: .error)]),
  ]
)
