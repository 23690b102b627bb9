/** The demo's page: it draws the picture, and without a server shows what would be posted. */

const query = new URLSearchParams(location.search);

if (!query.has("endpoint")) {
  globalThis.fetch = async (url, { body }) => {
    document.querySelector("#posted").append(Object.assign(document.createElement("li"), { textContent: `${url} ${body}` }));
    return new Response("{}", { status: 202 });
  };
}

document.querySelectorAll("looks-wrong").forEach((element, index) => {
  element.sample = `0199c0de-0000-4000-8000-00000000000${index}`;
  element.token = "v1.demo.f.token";
});
for (const name of ["endpoint", "sample", "token"]) {
  if (query.has(name)) document.querySelector("#first")[name] = query.get(name);
}
document.querySelector("#forget").onclick = () => document.querySelectorAll("looks-wrong").forEach((one) => one.reset());

const paper = document.querySelector("canvas").getContext("2d");
paper.fillStyle = "#cfd6dc";
paper.fillRect(0, 0, 640, 400);
for (let index = 0; index < 12; index += 1) {
  paper.beginPath();
  paper.ellipse(90 + (index % 4) * 150, 90 + Math.floor(index / 4) * 110, 42, 26, index * 0.7, 0, 7);
  paper.fillStyle = index % 5 ? "#fbfbf7" : "#e8b04b";
  paper.fill();
  paper.strokeStyle = "#8a939b";
  paper.stroke();
}
