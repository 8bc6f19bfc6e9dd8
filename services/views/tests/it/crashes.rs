//! The process dies around the writing of its tables, or does not hear that it has written.

use test_kit::eventually;

use crate::harness::{DEADLINE, Views};
use crate::story::Story;

const STEPS: [&str; 2] = ["after-writes", "after-commit"];

#[tokio::test]
async fn killed_around_a_commit_it_goes_on_behind_what_is_in_the_tables() -> anyhow::Result<()> {
    let views = Views::new()?;
    for round in 0..4 {
        for step in STEPS {
            views.tell(&Story::new(&format!("{step}-{round}"), 60))?;
            // Not always at the first batch after a start.
            let point = format!("{step}:{}", 1 + round % 3);
            let dying = views.service.beside(&[("MILLRACE_FAILURE_POINT", &point)]);
            dying.spawn()?;
            let mut stories = 0;
            eventually(&format!("it dies at {point}"), DEADLINE, async || {
                if dying.log().contains("the failure point that was asked for") {
                    return Some(());
                }
                // Until there were as many batches.
                stories += 1;
                views.tell(&Story::new(&format!("{step}-{round}-{stories}"), 2)).ok().and(None)
            })
            .await;
            assert!(!dying.stop()?.success());
        }
    }
    views.service.start()?;
    views.assert_equal_to_the_log().await?;
    assert!(views.service.dead_letters()?.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_is_found_in_the_positions() -> anyhow::Result<()> {
    let views = Views::new()?;
    views.tell(&Story::new("lost", 100))?;
    let deaf = views.service.beside(&[("MILLRACE_FAILURE_POINT", "commit-answer-lost:1")]);
    deaf.start()?;
    eventually("an answer is lost", DEADLINE, async || {
        deaf.log().contains("the failure that was asked for").then_some(())
    })
    .await;
    views.tell(&Story::new("heard", 100))?;
    views.assert_equal_to_the_log().await?;
    deaf.wait_ready()?;
    assert!(deaf.log().contains("the database cannot be used"), "it said so");
    Ok(())
}
