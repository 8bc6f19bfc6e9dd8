mod evolution;
mod hostile_input;
mod json;
mod records;
mod registry_faults;
mod wire_format;
