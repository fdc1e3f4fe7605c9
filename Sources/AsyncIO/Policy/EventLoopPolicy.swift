/// Decides which event loop a context has and how new ones are made. Answers asyncio's `AbstractEventLoopPolicy`.
///
/// What a context is, is the policy's own business: the thread in ``DefaultEventLoopPolicy``, a task-local value, an
/// actor or a request in one of yours. Results are never nil: a policy that has nothing to give throws.
///
/// All three may be called from any thread.
public protocol EventLoopPolicy: AnyObject, Sendable {
  /// The current loop of the calling context. Throws if there is none, code `noCurrentLoop` for the policies here.
  func getEventLoop() throws -> any EventLoop
  /// Makes a loop the current one of the calling context; `nil` leaves it without. Neither loop is started, stopped
  /// or closed.
  func setEventLoop(_ loop: (any EventLoop)?)
  /// Makes a loop by the policy's rules. It is not made current.
  func newEventLoop() throws -> any EventLoop
}
