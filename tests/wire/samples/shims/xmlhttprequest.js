// The part of the browser's XMLHttpRequest that the vendor's sample uses, for Node.
globalThis.XMLHttpRequest = class {
  readyState = 0;
  status = 0;
  responseText = "";
  onreadystatechange = null;
  #method = "GET";
  #url = "";
  #headers = {};

  open(method, url) {
    this.#method = method;
    this.#url = url;
    this.#become(1);
  }

  setRequestHeader(name, value) {
    this.#headers[name] = value;
  }

  async send(body) {
    const response = await fetch(this.#url, { method: this.#method, headers: this.#headers, body });
    this.status = response.status;
    this.#become(2);
    this.responseText = await response.text();
    this.#become(4);
  }

  #become(state) {
    this.readyState = state;
    if (this.onreadystatechange) this.onreadystatechange();
  }
};
