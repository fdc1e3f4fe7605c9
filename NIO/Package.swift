// swift-tools-version:6.2
import PackageDescription

// SwiftNIO on these loops. A package of its own, so that nobody who uses the library resolves swift-nio.
let settings: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
  .treatAllWarnings(as: .error),
]

let package = Package(
  name: "swift-asyncio-nio",
  platforms: [.macOS("26.0")],
  products: [.library(name: "AsyncIONIO", targets: ["AsyncIONIO"])],
  dependencies: [
    .package(name: "swift-asyncio", path: ".."),
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    .package(url: "https://github.com/apple/swift-system", from: "1.8.0"),
  ],
  targets: [
    .target(
      name: "AsyncIONIO",
      dependencies: [
        .product(name: "AsyncIO", package: "swift-asyncio"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "SystemPackage", package: "swift-system"),
      ],
      swiftSettings: settings),
    .testTarget(
      name: "AsyncIONIOTests",
      dependencies: [
        "AsyncIONIO",
        .product(name: "AsyncIO", package: "swift-asyncio"),
        .product(name: "AsyncIOSimulation", package: "swift-asyncio"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOEmbedded", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
        .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
      ],
      swiftSettings: settings),
  ]
)
