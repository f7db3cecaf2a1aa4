// A policy server as small as one can be written with Express: express.cjs <folder of packages> <port> <answer file>

const path = require("path");
const express = require(path.join(process.argv[2], "node_modules", "express"));
const answer = JSON.parse(require("fs").readFileSync(process.argv[4], "utf8"));

const app = express();
app.get("/policy/v1/service/configuration", (request, response) => response.json(answer));
app.listen(Number(process.argv[3]), "127.0.0.1", () => console.log("ready"));
