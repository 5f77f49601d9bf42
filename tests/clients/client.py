"""The official Python client, over HTTP and standard input."""

import asyncio
import json
import os
import sys
import traceback
import urllib.request

import httpx2
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client

DEMO = json.loads(os.environ["DEMO"])
COUNTS = {"passed": 0, "failed": 0}


async def check(name, work):
    try:
        await work()
        COUNTS["passed"] += 1
        print(f"ok   {name}")
    except Exception:
        COUNTS["failed"] += 1
        print(f"FAIL {name}")
        traceback.print_exc(file=sys.stdout)


def truth(device, menu):
    base = DEMO["control"] if DEMO["control"].startswith("http") else f"http://{DEMO['control']}"
    with urllib.request.urlopen(f"{base}/boxes/{device}/menu?path={menu}") as answer:
        return json.load(answer)[0]


def structured(result):
    return getattr(result, "structured_content", None) or getattr(result, "structuredContent", None)


def is_error(result):
    return getattr(result, "is_error", None) or getattr(result, "isError", None)


async def story(name, session, device, server):
    async def lists():
        names = [tool.name for tool in (await session.list_tools()).tools]
        assert "update_dns_servers" in names and "plan_approve" not in names, names

    async def reads():
        result = await session.call_tool("get_dns_status", {"device_id": device})
        assert isinstance(structured(result)["dns_servers"], list), result

    async def changes():
        seen = []

        async def heard(progress, total, message):
            seen.append(progress)

        result = await session.call_tool(
            "update_dns_servers", {"device_id": device, "dns_servers": [server]}, progress_callback=heard
        )
        assert structured(result)["changed"] is True, result
        assert truth(device, "/ip/dns")["servers"] == server
        assert len(seen) >= 2, seen

    async def refuses():
        result = await session.call_tool("get_dns_status", {"device_id": "nobody"})
        assert is_error(result) and structured(result)["code"] == "unknown_device", result

    async def guides():
        read = await session.read_resource(f"device://{device}/bridges")
        assert json.loads(read.contents[0].text)["bridges"], read
        prompts = [prompt.name for prompt in (await session.list_prompts()).prompts]
        assert len(prompts) == 10, prompts
        prompt = await session.get_prompt("troubleshoot-device", {"device_id": device})
        assert device in prompt.messages[0].content.text, prompt

    await check(f"{name}: lists tools", lists)
    await check(f"{name}: reads a router", reads)
    await check(f"{name}: changes DNS and follows progress", changes)
    await check(f"{name}: resources and prompts", guides)
    await check(f"{name}: an unknown device is a typed tool error", refuses)


async def main():
    headers = {"Authorization": f"Bearer {DEMO['tokens']['agent']}"}
    async with httpx2.AsyncClient(headers=headers, timeout=60) as http:
        async with streamable_http_client(DEMO["mcp_url"], http_client=http) as streams:
            async with ClientSession(streams[0], streams[1]) as session:
                await session.initialize()
                await story("python http", session, DEMO["devices"][6]["id"], "9.9.6.1")
    server = StdioServerParameters(command=os.environ["APPLIANCE"], args=["--dir", DEMO["store"], "stdio"])
    async with stdio_client(server) as (reads, writes):
        async with ClientSession(reads, writes) as session:
            await session.initialize()
            await story("python stdio", session, DEMO["devices"][7]["id"], "9.9.6.2")
    print(f"python client: {COUNTS['passed']} passed, {COUNTS['failed']} failed")
    return 1 if COUNTS["failed"] else 0


sys.exit(asyncio.run(main()))
