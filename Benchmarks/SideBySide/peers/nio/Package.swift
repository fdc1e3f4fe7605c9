// swift-tools-version:6.0
import PackageDescription

let nio: [Target.Dependency] = [
  .product(name: "NIOCore", package: "swift-nio"),
  .product(name: "NIOPosix", package: "swift-nio"),
]

let package = Package(
  name: "nio",
  products: [
    .executable(name: "nio_echo", targets: ["nio_echo"]),
    .executable(name: "nio_async_echo", targets: ["nio_async_echo"]),
    .executable(name: "nio_busy", targets: ["nio_busy"]),
    .executable(name: "nio_micro", targets: ["nio_micro"]),
  ],
  dependencies: [
    .package(path: "../../../MicroSupport"),
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
  ],
  targets: [
    .target(name: "Serving", dependencies: nio),
    .executableTarget(name: "nio_echo", dependencies: nio + ["Serving"], path: "Sources/Echo"),
    .executableTarget(name: "nio_async_echo", dependencies: nio, path: "Sources/AsyncEcho"),
    .executableTarget(name: "nio_busy", dependencies: nio + ["Serving", "MicroSupport"], path: "Sources/Busy"),
    .executableTarget(name: "nio_micro", dependencies: nio + ["MicroSupport"], path: "Sources/Micro"),
  ]
)
