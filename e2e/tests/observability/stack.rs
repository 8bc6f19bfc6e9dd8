use std::sync::OnceLock;

use local::Stack;

/// The stack of all tests here. Whoever breaks a part of it mends it again. Its views look at all groups as often as a hasty
/// Prometheus does.
///
/// It is never dropped, as no static is: its watchdog ends it with the process.
pub fn stack() -> &'static Stack {
    static STACK: OnceLock<Stack> = OnceLock::new();
    STACK.get_or_init(|| {
        let builder = Stack::builder().single_instances().observed().env("views", "LAG_INTERVAL_MS", "1000").progress();
        builder.start().unwrap_or_else(|error| panic!("the stack does not start: {error}"))
    })
}
