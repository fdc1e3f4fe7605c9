// swift-tools-version:6.0
import PackageDescription

// A package of its own: BoringSSL, which comes with it, takes longer to build than all of SwiftNIO.
let package = Package(
  name: "nio-tls",
  dependencies: [
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
  ],
  targets: [
    .executableTarget(
      name: "nio_tls",
      dependencies: [
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "NIOSSL", package: "swift-nio-ssl"),
      ])
  ]
)
