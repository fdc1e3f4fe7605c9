/// Decides which event loop a context has and how new ones are made. Answers asyncio's `AbstractEventLoopPolicy`.
///
/// The policy defines what a context is: the thread in ``DefaultEventLoopPolicy``, a task-local value, an actor or a
/// request in one of yours. Results are never nil: a policy that has nothing to give throws.
///
/// All three may be called from any thread.
public protocol EventLoopPolicy: AnyObject, Sendable {
  /// Return the current loop of the calling context. Throws if there is none; the policies here throw code
  /// `noCurrentLoop`.
  func getEventLoop() throws -> any EventLoop
  /// Make a loop the current one of the calling context; `nil` leaves the context without one. Neither loop is started,
  /// stopped or closed.
  func setEventLoop(_ loop: (any EventLoop)?)
  /// Make a loop by the policy's rules. It does not become current.
  func newEventLoop() throws -> any EventLoop
}
