// SPDX-License-Identifier: MIT
// schemas.js <DOCUMENTS: [{"of": whatever, "document": {…}}, …] → [{"of": whatever, "error": "…"}, …]
//
// Two judges of each: the schemas of Kubernetes and of the Prometheus operator (formats, required
// keys, choices), and the TypeScript compiler with the types made of the same, to which a key that
// does not exist is an error.
"use strict";

const fs = require("fs");
const path = require("path");
const ts = require("typescript");

const MODELS = {
	"v1": "kubernetes-models/v1",
	"apps/v1": "kubernetes-models/apps/v1",
	"networking.k8s.io/v1": "kubernetes-models/networking.k8s.io/v1",
	"monitoring.coreos.com/v1": "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1",
};

function modelOf(document) {
	const module = MODELS[document.apiVersion];
	if (!module)
		throw new Error(`no schema for apiVersion ${document.apiVersion}`);
	const model = require(module)[document.kind];
	if (!model)
		throw new Error(`there is no ${document.kind} in ${document.apiVersion}`);
	return [module, model];
}

function judgeBySchema(document) {
	try {
		new (modelOf(document)[1])(document).validate();
	} catch (error) {
		return [error.message];
	}
	return [];
}

// One line a document, so that an error's line says whose it is.
function judgeByTypes(documents) {
	const file = path.join(__dirname, "documents.ts");
	const lines = documents.map((document, i) => {
		const module = JSON.stringify(modelOf(document)[0]);
		return `const d${i}: import(${module}).I${document.kind} = ${JSON.stringify(document)};`;
	});
	const options = {
		noEmit: true, strict: true, skipLibCheck: true, types: [],
		target: ts.ScriptTarget.ES2015, lib: ["lib.es2015.d.ts"], module: ts.ModuleKind.CommonJS,
		moduleResolution: ts.ModuleResolutionKind.Node10,
	};
	const host = ts.createCompilerHost(options);
	const { fileExists, readFile } = host;
	host.fileExists = (name) => name === file || fileExists(name);
	host.readFile = (name) => (name === file ? lines.join("\n") : readFile(name));
	const program = ts.createProgram([file], options, host);
	return ts.getPreEmitDiagnostics(program).map((found) => ({
		index: found.file ? found.file.getLineAndCharacterOfPosition(found.start).line : 0,
		error: ts.flattenDiagnosticMessageText(found.messageText, " "),
	}));
}

const given = JSON.parse(fs.readFileSync(0, "utf8"));
const errors = given.flatMap(({ of, document }) =>
	judgeBySchema(document).map((error) => ({ of, error })));
errors.push(...judgeByTypes(given.map(({ document }) => document)).map(({ index, error }) => ({
	of: given[index].of, error })));
process.stdout.write(JSON.stringify(errors));
