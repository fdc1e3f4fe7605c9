/// A small chart of how often something took how long: a bar for each doubling.
package enum LatencyChart {
  private static var width: Int { 40 }
  private static var mostRows: Int { 12 }

  /// Return the lines for times in nanoseconds; none without times.
  package static func lines(_ times: [Int64]) -> [String] {
    guard !times.isEmpty else { return [] }
    var counts: [Int: Int] = [:]
    for time in times { counts[bucket(time), default: 0] += 1 }
    let buckets = Array(counts.keys.min()!...counts.keys.max()!)
    // Long tails are cut in the middle of nowhere: the first rows and the last one say the most.
    let rows = buckets.count <= mostRows ? buckets : Array(buckets.prefix(mostRows - 1)) + [buckets.last!]
    let most = counts.values.max()!
    return rows.enumerated().map { index, bucket in
      let count = counts[bucket, default: 0]
      // Whatever was there is seen.
      let length = count == 0 ? 0 : max(1, Int(Double(width) * (Double(count) / Double(most))))
      let isAfterGap = index > 0 && rows[index - 1] != bucket - 1
      let label = text(bucket)
      return (isAfterGap ? "  …\n" : "") + "  < \(String(repeating: " ", count: max(0, 7 - label.count)))\(label) "
        + "\(String(repeating: "█", count: length))\(length > 0 ? " " : "")\(count)"
    }
  }

  /// The number of bits of the microseconds.
  private static func bucket(_ nanoseconds: Int64) -> Int {
    let microseconds = max(0, nanoseconds) / 1000
    return Int64.bitWidth - microseconds.leadingZeroBitCount
  }

  /// The end of a bucket.
  private static func text(_ bucket: Int) -> String {
    let end = bucket < 62 ? Double(1 << bucket) : 4e18
    return end < 1000 ? "\(Int(end)) µs" : end < 1_000_000 ? "\(Int(end / 1000)) ms" : "\(Int(end / 1_000_000)) s"
  }
}
