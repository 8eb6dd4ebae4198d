export interface Item {
  article: string;
  pieces: number;
  price: number;
}

export function total(items: Item[]): number {
  return items.reduce((sum, item) => sum + item.pieces * item.price, 0);
}

export async function save(items: Item[]): Promise<void> {
  const answer = await fetch("/cart", { method: "PUT", body: JSON.stringify(items) });
  if (!answer.ok) {
    throw new Error(`the cart was not saved: ${answer.status}`);
  }
}
