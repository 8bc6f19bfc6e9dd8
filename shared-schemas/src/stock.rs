use avro_codec::AvroRecord;
use serde::{Deserialize, Serialize};
use streams::{Timestamp, Topic};

/// Pieces of a product have entered or left the warehouse.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StockMoved {
    /// Id of the movement; one that is repeated counts once.
    pub id: String,
    pub product: String,
    /// Pieces; negative if they left.
    pub quantity: i64,
    pub kind: StockMovementKind,
    pub occurred_at: Timestamp,
}

/// Why stock moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum StockMovementKind {
    Received,
    /// Counted anew, or moved in a way this version of the program does not know yet.
    Corrected,
    Shipped,
}

/// The stock of a product as it stands: each change is the whole fact anew.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StockLevel {
    pub product: String,
    /// Pieces in the warehouse.
    pub on_hand: i64,
    /// Of these, pieces that are promised to orders.
    pub reserved: i64,
    /// 1 for the first level of the product, and one more with each change.
    pub version: i32,
    pub updated_at: Timestamp,
}

impl AvroRecord for StockMoved {
    const SCHEMA: &'static str = include_str!("../avro/StockMoved.avsc");
}

impl AvroRecord for StockLevel {
    const SCHEMA: &'static str = include_str!("../avro/StockLevel.avsc");
}

/// What enters and leaves the warehouse.
pub static STOCK_MOVEMENTS: Topic<StockMoved> =
    Topic::new("stock-movements", "warehouse", |movement| movement.product.clone());

/// The current stock of each product.
pub static WAREHOUSE_INVENTORY: Topic<StockLevel> =
    Topic::new("warehouse-inventory", "inventory", |level: &StockLevel| level.product.clone()).compacted();
