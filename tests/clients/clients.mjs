// The official TypeScript clients (both protocol eras) and the Inspector, over HTTP and standard input.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport as StdioV1 } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport as HttpV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import * as v2 from '@modelcontextprotocol/client';
import * as v2stdio from '@modelcontextprotocol/client/stdio';

const demo = JSON.parse(process.env.DEMO);
const binary = process.env.APPLIANCE;
const bearer = { Authorization: `Bearer ${demo.tokens.agent}` };
const stdioArgs = ['--dir', demo.store, 'stdio'];
let passed = 0;
let failed = 0;

async function check(name, work) {
  try {
    await work();
    passed += 1;
    console.log(`ok   ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAIL ${name}: ${error.stack ?? error}`);
  }
}

/** What a box really has, from the simulator. */
async function truth(device, menu) {
  const base = demo.control.startsWith('http') ? demo.control : `http://${demo.control}`;
  const rows = await (await fetch(`${base}/boxes/${device}/menu?path=${menu}`)).json();
  return rows[0];
}

/** The same story for every client. `call` takes (name, args, onprogress). */
async function story(name, device, server, { list, call }) {
  await check(`${name}: lists tools with schemas`, async () => {
    const { tools } = await list();
    const names = tools.map((tool) => tool.name);
    for (const tool of ['echo', 'list_devices', 'get_dns_status', 'update_dns_servers']) assert.ok(names.includes(tool), tool);
    for (const operator of ['plan_approve', 'token_create', 'device_add']) assert.ok(!names.includes(operator), operator);
    assert.ok(tools.every((tool) => tool.inputSchema.type === 'object' && tool.description));
  });
  await check(`${name}: reads a router`, async () => {
    const result = await call('get_system_overview', { device_id: device });
    assert.equal(result.structuredContent.device_id, device);
    assert.match(result.structuredContent.routeros_version, /^7\./);
  });
  await check(`${name}: changes DNS and follows progress`, async () => {
    const seen = [];
    const result = await call('update_dns_servers', { device_id: device, dns_servers: [server] }, (p) => seen.push(p));
    assert.equal(result.structuredContent.changed, true, JSON.stringify(result));
    assert.equal((await truth(device, '/ip/dns')).servers, server);
    assert.ok(seen.length >= 2, `progress: ${JSON.stringify(seen)}`);
    assert.ok(seen.every((p, i) => i === 0 || p.progress > seen[i - 1].progress), 'progress grows');
  });
  await check(`${name}: bad input is a typed tool error`, async () => {
    const result = await call('update_dns_servers', { device_id: device, dns_servers: [server], nonsense: 1 });
    assert.equal(result.isError, true);
    assert.equal(result.structuredContent.code, 'invalid_params');
    assert.match(result.structuredContent.message, /nonsense/);
  });
  await check(`${name}: an unknown tool is a protocol error`, async () => {
    await assert.rejects(call('no_such_tool', {}));
  });
}

/** What every client finds beside the tools. `client` is any of the official ones. */
async function guides(client, device) {
  const { resourceTemplates } = await client.listResourceTemplates();
  assert.ok(resourceTemplates.some((template) => template.uriTemplate === 'device://{id}/dhcp-leases'));
  const { resources } = await client.listResources();
  assert.ok(resources.some((resource) => resource.uri === 'fleet://health-summary'));
  const leases = await client.readResource({ uri: `device://${device}/dhcp-leases` });
  assert.ok(Array.isArray(JSON.parse(leases.contents[0].text).leases));
  const { prompts } = await client.listPrompts();
  assert.equal(prompts.length, 10, prompts.map((prompt) => prompt.name).join());
  const { completion } = await client.complete({
    ref: { type: 'ref/prompt', name: 'comprehensive-device-review' },
    argument: { name: 'device_id', value: device },
  });
  assert.ok(completion.values.includes(device));
}

const timeout = { timeout: 60_000 };

for (const [n, door] of ['http', 'stdio'].entries()) {
  const client = new ClientV1({ name: 'clients', version: '1' });
  const transport =
    door === 'http'
      ? new HttpV1(new URL(demo.mcp_url), { requestInit: { headers: bearer } })
      : new StdioV1({ command: binary, args: stdioArgs });
  await client.connect(transport);
  await story(`typescript 2025-11-25 ${door}`, demo.devices[n].id, `9.9.9.${n + 1}`, {
    list: () => client.listTools(),
    call: (name, args, onprogress) => client.callTool({ name, arguments: args }, undefined, { ...timeout, onprogress }),
  });
  await check(`typescript 2025-11-25 ${door}: resources and prompts`, async () => {
    const read = await client.readResource({ uri: `device://${demo.devices[n].id}/overview` });
    assert.equal(JSON.parse(read.contents[0].text).device_id, demo.devices[n].id);
    await assert.rejects(client.readResource({ uri: 'device://nobody/overview' }), { code: -32002 });
    await guides(client, demo.devices[n].id);
    const prompt = await client.getPrompt({ name: 'device-onboarding', arguments: { environment: 'staging' } });
    assert.match(prompt.messages[0].content.text, /staging/);
  });
  await client.close();
}

for (const [n, door] of ['http', 'stdio'].entries()) {
  const client = new v2.Client(
    { name: 'clients', version: '2' },
    { versionNegotiation: { mode: { pin: '2026-07-28' } } },
  );
  const transport =
    door === 'http'
      ? new v2.StreamableHTTPClientTransport(new URL(demo.mcp_url), { requestInit: { headers: bearer } })
      : new v2stdio.StdioClientTransport({ command: binary, args: stdioArgs });
  await client.connect(transport);
  await story(`typescript 2026-07-28 ${door}`, demo.devices[n + 2].id, `9.9.8.${n + 1}`, {
    list: () => client.listTools(),
    call: (name, args, onprogress) => client.callTool({ name, arguments: args }, { ...timeout, onprogress }),
  });
  await check(`typescript 2026-07-28 ${door}: resources and prompts`, async () => {
    await assert.rejects(client.readResource({ uri: 'device://nobody/overview' }), { code: -32602 });
    await guides(client, demo.devices[n + 2].id);
  });
  await client.close();
}

// The Inspector writes to its home folder.
const run = promisify(execFile);
const home = mkdtempSync(path.join(tmpdir(), 'inspector-'));
const inspector = path.join(import.meta.dirname, 'node_modules', '.bin', 'mcp-inspector');
const inspect = async (...args) => {
  const { stdout } = await run(inspector, ['--cli', ...args], { env: { ...process.env, HOME: home }, timeout: 60_000 });
  return JSON.parse(stdout);
};
const doors = {
  http: [demo.mcp_url, '--transport', 'http', '--header', `Authorization: Bearer ${demo.tokens.agent}`],
  stdio: [binary, ...stdioArgs],
};
for (const [n, [door, target]] of Object.entries(doors).entries()) {
  const device = demo.devices[n + 4].id;
  await check(`inspector ${door}: lists tools`, async () => {
    const { tools } = await inspect(...target, '--method', 'tools/list');
    assert.ok(tools.some((tool) => tool.name === 'update_dns_servers'));
  });
  await check(`inspector ${door}: reads a router`, async () => {
    const result = await inspect(...target, '--method', 'tools/call', '--tool-name', 'get_dns_status', '--tool-arg', `device_id=${device}`);
    assert.ok(Array.isArray(result.structuredContent.dns_servers));
  });
  await check(`inspector ${door}: changes DNS`, async () => {
    const result = await inspect(
      ...target, '--method', 'tools/call', '--tool-name', 'update_dns_servers',
      '--tool-arg', `device_id=${device}`, '--tool-arg', `dns_servers=["9.9.7.${n + 1}"]`,
    );
    assert.equal(result.structuredContent.changed, true, JSON.stringify(result));
    assert.equal((await truth(device, '/ip/dns')).servers, `9.9.7.${n + 1}`);
  });
}

console.log(`typescript clients and inspector: ${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
