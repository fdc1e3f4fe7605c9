// swift-tools-version: 6.2
import PackageDescription

let package = Package(
  name: "Chat",
  platforms: [.macOS("26.0")],
  dependencies: [
    .package(path: "../swift-asyncio")
  ],
  targets: [
    .executableTarget(
      name: "Chat",
      dependencies: [.product(name: "AsyncIO", package: "swift-asyncio")]),
    .testTarget(
      name: "ChatTests",
      dependencies: [
        "Chat",
        .product(name: "AsyncIO", package: "swift-asyncio"),
        .product(name: "AsyncIOSimulation", package: "swift-asyncio"),
      ]),
  ]
)
