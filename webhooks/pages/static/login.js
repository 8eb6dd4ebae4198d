// A printed link carries the token behind #, which browsers send to no server: put it into the form, and out of sight.
const form = document.querySelector("#by-token");

function take() {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (!token) return;
  history.replaceState(null, "", location.pathname + location.search);
  form.elements.token.value = token;
  form.requestSubmit();
}

take();
addEventListener("hashchange", take); // the link, pasted where this page is open already
