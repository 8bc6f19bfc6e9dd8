mod drift;
mod hostile_bytes;
mod samples;
mod schema_files;
mod topics;
