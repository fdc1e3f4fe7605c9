// swift-tools-version:6.2
import PackageDescription

// Programs to read and to start from. A package of its own, as a program that uses the library would be.
let settings: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
  .treatAllWarnings(as: .error),
]

func example(_ name: String, _ more: Target.Dependency...) -> Target {
  .executableTarget(
    name: name, dependencies: [.product(name: "AsyncIO", package: "swift-asyncio")] + more, swiftSettings: settings)
}

let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")

let package = Package(
  name: "Examples",
  platforms: [.macOS("26.0")],
  dependencies: [
    .package(name: "swift-asyncio", path: ".."),
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-async-algorithms", from: "1.1.4"),
    .package(url: "https://github.com/apple/swift-system", from: "1.8.0"),
  ],
  targets: [
    example("CustomPolicy"),
    example("ContextPolicy"),
    example("EchoServer"),
    example("EchoOnAllCores"),
    example("ChildLines"),
    example("Lease"),
    example("Chat"),
    example("Algorithms", .product(name: "AsyncAlgorithms", package: "swift-async-algorithms")),
    example("Ping", argumentParser),
    example("PingAsync", argumentParser),
    // The same program in simulated worlds.
    .testTarget(
      name: "LeaseTests",
      dependencies: [
        "Lease",
        .product(name: "AsyncIO", package: "swift-asyncio"),
        .product(name: "AsyncIOSimulation", package: "swift-asyncio"),
      ],
      swiftSettings: settings),
    // The chat server that the tutorial builds, and its tests in simulated worlds.
    .testTarget(
      name: "ChatTests",
      dependencies: [
        "Chat",
        .product(name: "AsyncIO", package: "swift-asyncio"),
        .product(name: "AsyncIOSimulation", package: "swift-asyncio"),
      ],
      swiftSettings: settings),
    .executableTarget(
      name: "OwnLoop",
      dependencies: [
        .product(name: "AsyncIO", package: "swift-asyncio"),
        .product(name: "AsyncIOConformance", package: "swift-asyncio"),
        .product(name: "SystemPackage", package: "swift-system"),
      ],
      swiftSettings: settings),
  ]
)
