import AsyncIO

@main struct M { static func main() {} }
