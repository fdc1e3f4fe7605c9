// swift-tools-version:6.2
import PackageDescription

// Server frameworks on these loops. A package of its own, so that nobody who uses SwiftNIO's channels on them resolves
// Hummingbird or gRPC.
let settings: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
  .treatAllWarnings(as: .error),
]

let asyncIO = Target.Dependency.product(name: "AsyncIO", package: "swift-asyncio")
let asyncIONIO = Target.Dependency.product(name: "AsyncIONIO", package: "swift-asyncio-nio")
let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioSSL = Target.Dependency.product(name: "NIOSSL", package: "swift-nio-ssl")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let serviceLifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let arguments = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")
let grpcCore = Target.Dependency.product(name: "GRPCCore", package: "grpc-swift-2")
let grpcTransport = Target.Dependency.product(name: "GRPCNIOTransportHTTP2", package: "grpc-swift-nio-transport")

let package = Package(
  name: "swift-asyncio-frameworks",
  platforms: [.macOS("26.0")],
  products: [
    .library(name: "AsyncIOHummingbird", targets: ["AsyncIOHummingbird"]),
    .library(name: "AsyncIOGRPC", targets: ["AsyncIOGRPC"]),
    .executable(name: "hello-service", targets: ["HelloService"]),
    .executable(name: "grpc-echo", targets: ["GRPCEcho"]),
  ],
  dependencies: [
    .package(name: "swift-asyncio", path: ".."),
    .package(name: "swift-asyncio-nio", path: "../NIO"),
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-http-types", from: "1.5.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
    .package(url: "https://github.com/grpc/grpc-swift-2", from: "2.4.3"),
    .package(url: "https://github.com/grpc/grpc-swift-nio-transport", from: "2.9.2"),
    .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
  ],
  targets: [
    .target(name: "ServerConnections", dependencies: [nioCore], swiftSettings: settings),
    .target(
      name: "AsyncIOHummingbird",
      dependencies: [
        "ServerConnections", asyncIO, asyncIONIO, hummingbird, logging, nioCore, serviceLifecycle,
        .product(name: "HummingbirdCore", package: "hummingbird"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
        .product(name: "UnixSignals", package: "swift-service-lifecycle"),
      ],
      swiftSettings: settings),
    .target(
      name: "AsyncIOGRPC",
      dependencies: ["ServerConnections", asyncIO, asyncIONIO, grpcCore, grpcTransport, nioCore, nioSSL],
      swiftSettings: settings),
    .executableTarget(
      name: "HelloService",
      dependencies: [
        "AsyncIOHummingbird", arguments, asyncIO, asyncIONIO, hummingbird, logging, nioCore, nioSSL,
        .product(name: "HummingbirdCore", package: "hummingbird"),
        .product(name: "HummingbirdHTTP2", package: "hummingbird"),
        .product(name: "NIOPosix", package: "swift-nio"),
      ],
      swiftSettings: settings),
    .executableTarget(
      name: "GRPCEcho",
      dependencies: [
        "AsyncIOGRPC", arguments, asyncIO, asyncIONIO, grpcCore, grpcTransport, nioCore, nioSSL,
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "UnixSignals", package: "swift-service-lifecycle"),
      ],
      swiftSettings: settings),
    .target(name: "TestSupport", dependencies: [nioSSL], path: "Tests/Support", swiftSettings: settings),
    .testTarget(
      name: "AsyncIOHummingbirdTests",
      dependencies: [
        "AsyncIOHummingbird", "HelloService", "TestSupport", asyncIO, asyncIONIO, hummingbird, logging, nioCore, nioSSL,
        serviceLifecycle,
        .product(name: "AsyncIOSimulation", package: "swift-asyncio"),
        .product(name: "HTTPTypes", package: "swift-http-types"),
        .product(name: "HummingbirdCore", package: "hummingbird"),
        .product(name: "HummingbirdHTTP2", package: "hummingbird"),
        .product(name: "HummingbirdTLS", package: "hummingbird"),
        .product(name: "NIOPosix", package: "swift-nio"),
      ],
      swiftSettings: settings),
    .testTarget(
      name: "AsyncIOGRPCTests",
      dependencies: [
        "AsyncIOGRPC", "GRPCEcho", "TestSupport", asyncIO, asyncIONIO, grpcCore, grpcTransport, nioCore, nioSSL,
        .product(name: "AsyncIOSimulation", package: "swift-asyncio"),
        .product(name: "NIOPosix", package: "swift-nio"),
      ],
      swiftSettings: settings),
  ]
)
