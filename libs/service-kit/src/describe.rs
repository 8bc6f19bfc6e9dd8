use clap::Command;
use serde::Serialize;
use streams::Description;

/// Everything a service derives from its topology and can be told: what the topic step, access rules, manifests and
/// documents are made from.
#[derive(Debug, Serialize)]
pub(crate) struct ServiceDescription {
    #[serde(flatten)]
    topology: Description,
    options: Vec<OptionDescription>,
}

#[derive(Debug, Serialize)]
struct OptionDescription {
    flag: String,
    environment: Option<String>,
    default: Option<String>,
    help: String,
}

impl ServiceDescription {
    pub(crate) fn new(topology: Description, command: &Command) -> Self {
        let options = command.get_arguments().filter(|argument| !argument.is_hide_set());
        let options = options.filter_map(|argument| {
            Some(OptionDescription {
                flag: format!("--{}", argument.get_long()?),
                environment: argument.get_env().map(|name| name.to_string_lossy().into_owned()),
                default: argument.get_default_values().first().map(|value| value.to_string_lossy().into_owned()),
                help: argument.get_help().map(ToString::to_string).unwrap_or_default(),
            })
        });
        Self { topology, options: options.collect() }
    }
}
