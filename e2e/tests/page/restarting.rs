//! Views goes away while somebody looks.

use crate::browser::Screen;
use crate::visitor::{Visitor, stack};

#[tokio::test]
async fn the_page_says_that_views_is_away_and_goes_on_by_itself_when_it_is_back() -> anyhow::Result<()> {
    // Not the instance that all others look at.
    let views = stack().part("views-1");
    let visitor = Visitor::of(views, Screen::Desktop).await?;
    let before = visitor.places("Fine").await?;
    visitor.sees_row(&before, "VALIDATED").await;

    views.kill();
    let lost =
        "document.getElementById('connection').textContent.startsWith('reconnecting, showing what was true at ')";
    visitor.sees("the page says that it is not live", lost).await;
    visitor.keeps_picture("away").await?;
    visitor.sees_row(&before, "VALIDATED").await;
    let meanwhile = visitor.places("Fine").await?;
    let answered = format!("document.querySelector('#outcome [data-order=\"{meanwhile}\"]')");
    visitor.sees("orders takes the order all the same", &answered).await;

    views.start()?;
    visitor.sees("the page is live again", "document.getElementById('connection').textContent === 'live'").await;
    visitor.sees_row(&meanwhile, "VALIDATED").await;
    let after = visitor.places("Fine").await?;
    visitor.sees_row(&after, "VALIDATED").await;
    visitor.leaves().await
}

#[tokio::test]
async fn an_order_that_does_not_exist_is_said_not_to() -> anyhow::Result<()> {
    let visitor = Visitor::of(stack().part("views"), Screen::Phone).await?;
    visitor.browser.run("location.hash = '#/orders/nobody-placed-this'").await?;
    let said = "document.getElementById('panel-content').textContent === 'There is no such order.'";
    visitor.sees("the page says that there is no such order", said).await;
    visitor.leaves().await
}
