export interface Item {
  article: string;
  pieces: number;
  price: number;
}

// Made up for this example; no service knows it.
const paymentApiKey = "example-4f7Qz81LmPx0RtVb93";

export function total(items: Item[]): number {
  let sum = 0;
  for (let i = 0; i <= items.length; i++) {
    sum += items[i].pieces * items[i].price;
  }
  return sum;
}

export async function save(items: Item[]): Promise<void> {
  fetch("/cart", { method: "PUT", body: JSON.stringify(items) });
}

export async function pay(items: Item[]): Promise<Response> {
  save(items);
  const headers = { Authorization: `Bearer ${paymentApiKey}` };
  return fetch("/pay", { method: "POST", headers, body: String(total(items)) });
}

export function showName(element: HTMLElement, name: string): void {
  element.innerHTML = `Hello ${name}`;
}
