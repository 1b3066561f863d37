//! All functions in one process, over real PostgreSQL, queues and bucket, against the simulator: see `testkit::World`.

mod asking;
mod calls;
mod homecoming;
mod placing;
mod webhooks;
mod wellbeing;
