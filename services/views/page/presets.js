// Orders to try, made for what the demo is seeded with: its customers, its products and how many there are of each.

let turn = 0;

/** Customers take turns, so that none of them spends too much. */
function nextCustomer() {
  const customers = [1, 4, 5, 6, 7, 8, 9];
  return customers[turn++ % customers.length];
}

export const PRESETS = [
  {
    name: "Fine",
    hint: "Passes every check",
    order: () => ({ customerId: nextCustomer(), product: "JUMPERS", quantity: 2, price: "9.99" }),
  },
  {
    name: "Out of stock",
    hint: "Inventory has none of it",
    order: () => ({ customerId: 3, product: "STOCKINGS", quantity: 1, price: "4.50" }),
  },
  {
    name: "Fraud",
    hint: "More than a customer may spend at once",
    order: () => ({ customerId: 2, product: "JUMPERS", quantity: 3, price: "700.00" }),
  },
  {
    name: "Malformed",
    hint: "Not even an order",
    order: () => ({ customerId: 1, product: "JUMPERS", quantity: "two", price: "9.999" }),
  },
];
