use std::collections::HashMap;
use std::future::Future;

use anyhow::{Context, anyhow};
use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

/// Tasks that are started together and stopped together. None of them may end before it is told to.
#[derive(Debug, Default)]
pub(crate) struct Stage {
    stop: CancellationToken,
    tasks: JoinSet<anyhow::Result<()>>,
    names: HashMap<Id, String>,
}

impl Stage {
    /// Is cancelled when the tasks should end.
    pub(crate) fn stop(&self) -> CancellationToken {
        self.stop.clone()
    }

    pub(crate) fn spawn(
        &mut self,
        name: impl Into<String>,
        task: impl Future<Output = anyhow::Result<()>> + Send + 'static,
    ) {
        let id = self.tasks.spawn(task).id();
        self.names.insert(id, name.into());
    }

    /// Waits until a task has ended although nobody told it to, and says why; for ever, if none does.
    pub(crate) async fn broken(&mut self) -> anyhow::Error {
        match self.tasks.join_next_with_id().await {
            Some(ended) => match self.outcome(ended) {
                Ok(name) => anyhow!("{name} ended although nobody told it to"),
                Err(error) => error,
            },
            None => std::future::pending().await,
        }
    }

    /// Tells the tasks to end and waits until they have.
    ///
    /// # Errors
    /// The first failure among them.
    pub(crate) async fn ended(&mut self) -> anyhow::Result<()> {
        self.stop.cancel();
        let mut outcome = Ok(());
        while let Some(ended) = self.tasks.join_next_with_id().await {
            outcome = outcome.and(self.outcome(ended).map(drop));
        }
        outcome
    }

    /// Names of the tasks that have not ended.
    pub(crate) fn running(&self) -> Vec<&str> {
        self.names.values().map(String::as_str).collect()
    }

    fn outcome(&mut self, ended: Result<(Id, anyhow::Result<()>), JoinError>) -> anyhow::Result<String> {
        let (id, outcome) = match ended {
            Ok((id, outcome)) => (id, outcome),
            Err(error) => (error.id(), Err(anyhow!(error))),
        };
        let name = self.names.remove(&id).unwrap_or_default();
        outcome.with_context(|| format!("{name} failed"))?;
        Ok(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn until(stop: CancellationToken) -> anyhow::Result<()> {
        stop.cancelled().await;
        Ok(())
    }

    #[tokio::test]
    async fn a_task_that_ends_too_early_is_named() {
        let mut stage = Stage::default();
        stage.spawn("the patient", until(stage.stop()));
        stage.spawn("the quitter", async { Ok(()) });
        assert_eq!(stage.broken().await.to_string(), "the quitter ended although nobody told it to");
        assert_eq!(stage.running(), ["the patient"]);
    }

    #[tokio::test]
    async fn a_task_that_panics_or_fails_is_named_with_the_cause() {
        let mut stage = Stage::default();
        stage.spawn("the jumpy", async { panic!("a mouse") });
        let broken = stage.broken().await;
        assert!(format!("{broken:#}").starts_with("the jumpy failed: "), "{broken:#}");
        stage.spawn("the clumsy", async { Err(anyhow!("it fell")) });
        assert_eq!(format!("{:#}", stage.broken().await), "the clumsy failed: it fell");
    }

    #[tokio::test]
    async fn tasks_end_when_told_to_and_their_failures_are_not_lost() {
        let mut stage = Stage::default();
        stage.spawn("the patient", until(stage.stop()));
        let stop = stage.stop();
        stage.spawn("the clumsy", async move {
            stop.cancelled().await;
            Err(anyhow!("it fell"))
        });
        assert_eq!(format!("{:#}", stage.ended().await.unwrap_err()), "the clumsy failed: it fell");
        assert!(stage.running().is_empty());
    }
}
