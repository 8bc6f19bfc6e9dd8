//! The page without a mouse.

use crate::browser::{ARROW_DOWN, ENTER, ESCAPE, Screen, TAB};
use crate::visitor::{Visitor, stack};

#[tokio::test]
async fn the_keyboard_alone_places_an_order_opens_it_and_closes_it() -> anyhow::Result<()> {
    let visitor = Visitor::of(stack().part("views"), Screen::Desktop).await?;
    let first = visitor.places("Fine").await?;
    visitor.sees_row(&first, "VALIDATED").await;
    visitor.browser.run("document.querySelector('#order-form [name=id]').focus()").await?;
    let second = visitor.browser.run("return document.activeElement.value").await?;
    let second = second.as_str().unwrap_or_default().to_string();
    // Past customer, product, quantity and price, to the button.
    visitor.browser.press(&TAB.repeat(5)).await?;
    visitor.browser.press(ENTER).await?;
    visitor.sees_row(&second, "VALIDATED").await;

    // The first stop of the tab key leads past the form.
    visitor.browser.run("document.activeElement.blur(); document.getElementById('skip').focus()").await?;
    visitor.browser.press(ENTER).await?;
    let is_row = "return document.activeElement.closest('#orders-body') !== null";
    assert_eq!(visitor.browser.run(is_row).await?, true, "the focus is in the grid");
    let focused = "return document.activeElement.dataset.id";
    let from = visitor.browser.run(focused).await?;
    visitor.browser.press(ARROW_DOWN).await?;
    let to = visitor.browser.run(focused).await?;
    assert_ne!(from, to, "the arrow goes to the next row");
    visitor.browser.press(ENTER).await?;
    visitor.sees("the order is open", "document.querySelector('.journey')").await;
    visitor.browser.press(ESCAPE).await?;
    visitor.sees("the order is closed", "document.getElementById('panel').hidden").await;
    assert_eq!(visitor.browser.run(focused).await?, to, "the focus is back on the row");
    visitor.leaves().await
}
