//! What is to be seen of a running ecosystem: one whole stack with Prometheus, an OpenTelemetry Collector and a trace store,
//! and orders that go through it. `make test-observability` runs it, one test after the other.

mod alerts;
mod dashboards;
mod figures;
mod flow;
mod hasty;
mod prometheus;
mod promtool;
mod stack;
mod tracing;
